// Show the chosen photo before it is sent, and say at once when it is too large.
(() => {
  "use strict";
  const input = document.querySelector('input[type="file"][data-max-bytes]');
  if (!input) return;

  const preview = document.createElement("img");
  preview.className = "preview";
  preview.alt = "The photo you have chosen";
  preview.hidden = true;
  input.after(preview);

  input.addEventListener("change", () => {
    const [photo] = input.files;
    URL.revokeObjectURL(preview.src);
    preview.hidden = !photo;
    if (photo) preview.src = URL.createObjectURL(photo);

    const tooLarge = photo && photo.size > Number(input.dataset.maxBytes);
    input.setCustomValidity(tooLarge ? "This photo is too large for the book." : "");
    if (tooLarge) input.reportValidity();
  });
  // A browser that cannot show the format keeps the field and drops the empty frame.
  preview.addEventListener("error", () => { preview.hidden = true; });
})();
