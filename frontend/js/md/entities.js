/**
 * Character references in Markdown text, decoded without the HTML parser (which Trusted Types keep shut).
 * The names that models write; an unknown one stays as it was typed.
 */

/** @type {Record<string, string>} */
const NAMES = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", reg: "®", trade: "™", hellip: "…",
  mdash: "—", ndash: "–", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»", bull: "•", middot: "·",
  times: "×", divide: "÷", plusmn: "±", minus: "−", deg: "°", micro: "µ", para: "¶", sect: "§", euro: "€", pound: "£",
  yen: "¥", cent: "¢", frac12: "½", frac14: "¼", frac34: "¾", sup2: "²", sup3: "³", larr: "←", rarr: "→", uarr: "↑",
  darr: "↓", harr: "↔", rArr: "⇒", lArr: "⇐", hArr: "⇔", infin: "∞", ne: "≠", le: "≤", ge: "≥", asymp: "≈", equiv: "≡",
  sum: "∑", prod: "∏", radic: "√", int: "∫", part: "∂", forall: "∀", exist: "∃", isin: "∈", cap: "∩", cup: "∪",
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ε", theta: "θ", lambda: "λ", mu: "μ", pi: "π", sigma: "σ",
  phi: "φ", omega: "ω", Delta: "Δ", Sigma: "Σ", Omega: "Ω", check: "✓", ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009",
};

/** @param {string} text @returns {string} */
export function decode(text) {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\w{2,31}));/g, (whole, decimal, hex, name) => {
    if (name) return NAMES[name] ?? whole;
    const code = decimal ? Number(decimal) : parseInt(hex, 16);
    const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return valid ? String.fromCodePoint(code) : "\ufffd";
  });
}
