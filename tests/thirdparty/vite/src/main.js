import "./style.css";
import { count } from "./shared.js";
window.runs = (window.runs || 0) + 1;
document.body.dataset.runs = String(window.runs);
export const state = { name: "main", count };
import("./lazy.js").then(({ describe }) => {
  document.body.dataset.lazy = describe();
});
