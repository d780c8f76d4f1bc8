import { state } from "./main.js";
import "./lazy.css";
import url from "./dot.svg?no-inline";
export const describe = () => `${state.name} ${window.runs} ${url.split("/").pop().split("-")[0]}`;
