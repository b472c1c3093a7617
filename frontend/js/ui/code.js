/**
 * What a finished code block can do: be copied, be wrapped on a narrow screen, have colours.
 */
import { copyFrom } from "./copy.js";
import { h, icon, setAttribute } from "./dom.js";
import { withExtras } from "./later.js";

/** @param {HTMLElement} figure */
export function finishCode(figure) {
  const caption = figure.querySelector("figcaption");
  if (!caption || caption.querySelector("button")) return;
  const source = () => figure.querySelector("code")?.textContent ?? "";
  const label = h("span", {}, "Copy");
  const copy = h("button", { type: "button", class: "code-button", "aria-label": "Copy code" }, icon("copy"), label);
  copy.addEventListener("click", () => copyFrom(copy, source(), label));
  const wrap = h("button", { type: "button", class: "code-button wrap-button", "aria-pressed": "false", "aria-label": "Wrap long lines" }, icon("wrap-text"));
  wrap.addEventListener("click", () => {
    const wrapped = !figure.hasAttribute("data-wrap");
    setAttribute(figure, "data-wrap", wrapped);
    wrap.setAttribute("aria-pressed", String(wrapped));
  });
  caption.append(wrap, copy);
  // Without them it is code all the same.
  withExtras(({ colour }) => colour(figure));
}
