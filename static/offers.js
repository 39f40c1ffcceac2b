// A share of an escrow by a slider: it and the exact field follow each other. Whole numbers of base units throughout.
"use strict";

(() => {
  const UNITS = 100000000n;
  const AMOUNT = /^([0-9]{1,11})(?:[.,]([0-9]{1,8}))?$/;

  const write = (units) => `${units / UNITS}.${String(units % UNITS).padStart(8, "0")}`;
  const read = (text) => {
    const found = AMOUNT.exec(text.trim());
    return found ? BigInt(found[1]) * UNITS + BigInt((found[2] || "").padEnd(8, "0")) : null;
  };

  const follow = (share) => {
    const exact = share.querySelector("[data-share-exact]");
    const slider = share.querySelector("[data-share-slider]");
    const whole = BigInt(share.dataset.whole);
    const units = read(exact.value);
    if (units !== null && units <= whole) slider.value = String((units * 100n + whole / 2n) / whole);
  };

  document.addEventListener("input", (event) => {
    const share = event.target.closest("[data-share]");
    if (!share) return;
    if (!event.target.matches("[data-share-slider]")) return follow(share);
    const exact = share.querySelector("[data-share-exact]");
    exact.value = write((BigInt(share.dataset.whole) * BigInt(event.target.value)) / 100n);
    exact.dispatchEvent(new Event("input", { bubbles: true }));
  });

  const show = (root) => {
    for (const share of root.querySelectorAll("[data-share]")) {
      share.querySelector(".share-slider").hidden = false;
      follow(share);
    }
  };
  document.addEventListener("htmx:afterSettle", () => show(document));
  show(document);
})();
