// Count the characters that are left, and keep a slow upload from being sent twice.
(() => {
  "use strict";
  const message = document.querySelector("textarea[maxlength]");
  if (!message) return;
  const form = message.form;

  const help = document.getElementById(`${message.id}_helptext`);
  const count = () => {
    const left = message.maxLength - message.value.length;
    // Screen readers hear of it when it matters, not with each letter.
    help.ariaLive = left <= 20 ? "polite" : "off";
    help.textContent = `${left} ${left === 1 ? "character" : "characters"} left.`;
  };
  if (help) {
    message.addEventListener("input", count);
    count();
  }

  const button = form.querySelector("[data-busy]");
  const label = button.textContent;
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    button.textContent = button.dataset.busy;
  });
  // The back button brings the page as it was left: busy.
  window.addEventListener("pageshow", () => {
    button.removeAttribute("aria-disabled");
    button.textContent = label;
  });
})();
