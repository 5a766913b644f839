// What the desk's pages need a script for: parts that are replaced in place, keys, the visitor's zone and theme.
import "htmx.org";
import { listenToQueryBars } from "./completion";
import { listenToGuides } from "./guide";
import { listenToKeys } from "./keys";
import { showRefusals } from "./refusals";
import { listenToTrees } from "./tree";
import { listenToValues } from "./value_menu";
import { keepZone, listenToMenus, switchTheme } from "./preferences";
import { listenToTimelines } from "./timeline";

keepZone();
listenToMenus();
listenToKeys();
listenToGuides();
listenToTrees();
listenToValues();
listenToQueryBars();
listenToTimelines();
showRefusals();
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-theme-switch]")) switchTheme();
  if (target?.closest("[data-keys]")) document.querySelector<HTMLDialogElement>("#keys")?.showModal();
});
