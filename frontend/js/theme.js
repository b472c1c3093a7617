/**
 * Runs before the first paint, so that a chosen theme never flashes the other one. A file of its own
 * because the policy of the page allows no inline script.
 */
try {
  const theme = localStorage.getItem("tokenwire.theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that refuses storage follows the system.
}
