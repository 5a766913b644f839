// What the desk's pages need a script for: parts that are replaced in place, keys, the visitor's zone and theme.
import "htmx.org";
import { listenToActions } from "./actions";
import { listenToArrivals } from "./arrivals";
import { listenToFlyouts } from "./flyout";
import { listenToHistograms } from "./brush";
import { listenToQueryBars } from "./completion";
import { listenToGuides } from "./guide";
import { listenToKeys } from "./keys";
import { listenToMatrices } from "./matrix";
import { showRefusals } from "./refusals";
import { listenToRows } from "./rows";
import { listenToTrees } from "./tree";
import { listenToValues } from "./value_menu";
import { keepZone, listenToMenus, switchTheme } from "./preferences";
import { listenToTimelines } from "./timeline";

keepZone();
listenToMenus();
listenToRows();
listenToActions();
listenToArrivals();
listenToFlyouts();
listenToKeys();
listenToMatrices();
listenToGuides();
listenToTrees();
listenToValues();
listenToQueryBars();
listenToHistograms();
listenToTimelines();
showRefusals();
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-theme-switch]")) switchTheme();
  if (target?.closest("[data-keys]")) document.querySelector<HTMLDialogElement>("#keys")?.showModal();
});
