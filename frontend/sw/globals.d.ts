/** What scripts/build.mjs puts into the service worker: the build's id, and the paths of what its page is made of. */

declare const BUILD: string;
declare const SHELL: string[];
