"use strict";
// Copies a text when the button beneath it is pressed; where a page may not use the clipboard, the text is selected instead.
for (const button of document.querySelectorAll("button.copy")) {
  const words = button.innerHTML;
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.innerText);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(text);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl-C";
    }
    setTimeout(() => { button.innerHTML = words; }, 2500);
  });
}
