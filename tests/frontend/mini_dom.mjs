/**
 * The few parts of a document that the Markdown renderer touches, so that its tests run in node. A tree
 * with textContent and a serializer; it knows no layout, no events, no HTML parser.
 */

class MiniNode {
  parent = null;
  remove() {
    if (this.parent) this.parent.childNodes = this.parent.childNodes.filter((n) => n !== this);
    this.parent = null;
  }
  replaceWith(...nodes) {
    const { parent } = this;
    const at = parent.childNodes.indexOf(this);
    parent.childNodes.splice(at, 1, ...nodes.map((n) => adopt(parent, n)));
    this.parent = null;
  }
}

function adopt(parent, node) {
  const real = typeof node === "string" ? new MiniText(node) : node;
  real.remove();
  real.parent = parent;
  return real;
}

class MiniText extends MiniNode {
  constructor(data) {
    super();
    this.data = String(data);
  }
  get textContent() {
    return this.data;
  }
  appendData(more) {
    this.data += more;
  }
}

export class MiniElement extends MiniNode {
  childNodes = [];
  attributes = {};
  dataset = {};
  className = "";
  constructor(tag) {
    super();
    this.tag = tag;
  }
  append(...nodes) {
    for (const node of nodes) this.childNodes.push(adopt(this, node));
  }
  replaceChildren(...nodes) {
    for (const node of [...this.childNodes]) node.remove();
    this.append(...nodes);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  matches(selector) {
    return selector === "figure.code" ? this.tag === "figure" : this.className.startsWith("math") && !this.className.endsWith("open");
  }
  querySelectorAll(selector) {
    return this.childNodes.flatMap((n) =>
      n instanceof MiniElement ? [...(n.matches(selector) ? [n] : []), ...n.querySelectorAll(selector)] : []);
  }
  get tagName() {
    return this.tag.toUpperCase();
  }
  get firstChild() {
    return this.childNodes[0];
  }
  get lastChild() {
    return this.childNodes.at(-1);
  }
  get textContent() {
    return this.childNodes.map((n) => n.textContent).join("");
  }
}

/** One string per tree; neighbouring text nodes count as one, as they do for a reader. */
export function serialize(node) {
  if (node instanceof MiniText) return JSON.stringify(node.data);
  const { tag, className, attributes, href } = node;
  const inner = [];
  let text = "";
  for (const child of node.childNodes) {
    if (child instanceof MiniText) text += child.data;
    else {
      if (text) inner.push(JSON.stringify(text));
      text = "";
      inner.push(serialize(child));
    }
  }
  if (text) inner.push(JSON.stringify(text));
  const head = [tag, className && `.${className}`, href && ` ${href}`, ...Object.entries(attributes).map((a) => ` ${a.join("=")}`)];
  return `(${head.filter(Boolean).join("")} ${inner.join(" ")})`;
}

export function install() {
  globalThis.HTMLElement = MiniElement;
  globalThis.document = {
    createElement: (tag) => new MiniElement(tag),
    createTextNode: (data) => new MiniText(data),
  };
}
