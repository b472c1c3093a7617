/**
 * The few helpers that the views share for making and arranging nodes. Attributes are set one by one;
 * there is no way to hand in markup.
 */

/** @typedef {Record<string, unknown>} Props */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props] `class`, `on` + event, `data-*`/`aria-*` and other attributes; booleans and null as HTML has them
 * @param {...(Node | string | null | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else setAttribute(node, name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== false));
  return node;
}

/** @param {Element} node @param {string} name @param {unknown} value null and false remove */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

/** Writes only what is new: whoever selects or reads it isn't disturbed. @param {Element} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {string} id of the page's template @returns {HTMLElement} */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no #${id}`);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name of a file in icons/ */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** @param {Element} holder whose icon is to be another @param {string} name */
export const setIcon = (holder, name) => holder.querySelector("use")?.setAttribute("href", `#i-${name}`);

/** @param {string} label @param {string} glyph @param {Props} [props] */
export const iconButton = (label, glyph, props = {}) =>
  h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, ...props }, icon(glyph));

/** Makes the children of a node these, in this order, and moves only what is out of place. @param {Element} parent @param {Element[]} nodes */
export function arrange(parent, nodes) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/** Safari ends a composition before the keydown that ended it. @param {KeyboardEvent} event */
export const composing = (event) => event.isComposing || event.keyCode === 229;

/** Up and down move through the controls of a list. @param {KeyboardEvent} event @param {HTMLElement[]} stops @param {Element | null} from where it is now */
export function walk(event, stops, from = document.activeElement) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const at = stops.indexOf(/** @type {HTMLElement} */ (from));
  if (!step || (at < 0 && document.activeElement instanceof HTMLInputElement && step < 0)) return;
  event.preventDefault();
  stops[Math.min(stops.length - 1, Math.max(0, at + step))]?.focus();
}
