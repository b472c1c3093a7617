/**
 * What the first screen does without: fetched apart from it, in one piece, as pieces that share much are
 * smaller together. It holds nothing of its own.
 */
export { keepPage } from "../net/worker.js";
export { colour } from "../md/highlight.js";
export { detailsOf } from "../state/details.js";
export { createSearch } from "../state/search.js";
export { createAhead } from "./ahead.js";
export { createEditBox } from "./editbox.js";
export { finishFormula } from "./formula.js";
export { choose, offer, takeIn, tellRefused, watchDrags } from "./intake.js";
export { createModelList } from "./modellist.js";
export { createRowActs } from "./rowacts.js";
export { createFinder } from "./search.js";
export { createSheets } from "./sheets.js";
