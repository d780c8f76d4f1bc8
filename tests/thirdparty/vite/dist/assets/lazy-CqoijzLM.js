import{state as t}from"./main-CaRgkCyF.js";const r=""+new URL("dot-CQCrvgOk.svg",import.meta.url).href,e=()=>`${t.name} ${window.runs} ${r.split("/").pop().split("-")[0]}`;export{e as describe};
//# sourceMappingURL=lazy-CqoijzLM.js.map
