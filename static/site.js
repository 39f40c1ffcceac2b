// What a page gains when script is allowed. Everything here is an addition: the pages work without it.
"use strict";

(() => {
  const OUT_OF_REACH = "The server could not be reached. Nothing on this page has changed; try again in a moment.";
  const SERVER_FAILED = "Something went wrong on the server. This page was left as it was; look at it again before you repeat this.";

  const say = (text) => {
    const region = document.getElementById("messages");
    if (!region) return;
    const message = document.createElement("div");
    message.className = "message tone-bad";
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    message.append(paragraph);
    region.replaceChildren(message);
    region.scrollIntoView({ block: "nearest" });
  };

  // Copy buttons appear only where the browser can copy.
  const showCopyButtons = (root) => {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
  };

  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch (refused) {
      button.hidden = true;
      return;
    }
    const name = button.getAttribute("aria-label");
    button.dataset.copied = "";
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
      delete button.dataset.copied;
      button.setAttribute("aria-label", name);
    }, 1600);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A plain form is sent once: its button sleeps until the answer has replaced the page.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.hasAttribute("hx-post") || form.method !== "post") return;
    const button = event.submitter;
    if (!button) return;
    setTimeout(() => {
      button.disabled = true;
      button.dataset.busy = "";
    });
  });

  // The same for a form that htmx sends: only the button that was pressed sleeps, whichever of the form's it is.
  const pressed = (event) => event.detail.requestConfig?.triggeringEvent?.submitter;
  document.addEventListener("htmx:beforeSend", (event) => {
    const button = pressed(event);
    if (button) button.disabled = true;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const button = pressed(event);
    if (button) button.disabled = false;
  });

  // Back to a page that the browser kept: its buttons work again.
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[data-busy]")) {
      button.disabled = false;
      delete button.dataset.busy;
    }
  });

  document.addEventListener("htmx:sendError", () => say(OUT_OF_REACH));
  document.addEventListener("htmx:timeout", () => say(OUT_OF_REACH));
  // A failure of the server replaces nothing on the page; its own words are shown when it had any.
  document.addEventListener("htmx:responseError", (event) => {
    const { status, responseText } = event.detail.xhr;
    if (status < 500) return;
    const answer = new DOMParser().parseFromString(responseText, "text/html");
    say(answer.querySelector(".message p")?.textContent || SERVER_FAILED);
  });

  // The number of unread notices stands before the title, whatever has been swapped.
  const countInTitle = () => {
    const count = document.getElementById("notice-count")?.dataset.unread;
    const title = document.title.replace(/^\(\d+\+?\) /, "");
    document.title = count && count !== "0" ? `(${count}) ${title}` : title;
  };

  // What a form is told when its session has ended offers a way on; a piece that asks for itself must not replace that.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status !== 401 || requestConfig.verb !== "get") return;
    if (document.querySelector("#messages form")) event.detail.shouldSwap = false;
  });

  // After a swap the reader stands where the answer is: at the errors, or at what holds the pressed button.
  document.addEventListener("htmx:afterSettle", (event) => {
    const root = event.detail.elt;
    countInTitle();
    showCopyButtons(root.parentElement || root);
    if (root.closest("#messages")) return;
    const wanted = root.matches("[data-focus]") ? root : root.querySelector("[data-focus]");
    if (wanted) wanted.focus();
    else if (document.activeElement === document.body && event.detail.requestConfig?.verb === "post") {
      if (!root.hasAttribute("tabindex")) root.setAttribute("tabindex", "-1");
      root.focus({ preventScroll: true });
    }
  });

  showCopyButtons(document);
  document.querySelector("[data-focus]")?.focus();
})();
