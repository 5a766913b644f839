// What a browser keeps of how its user wants to see pages, as cookies, so that the server can write pages so.
const A_YEAR = 31_536_000;

function keep(name: string, value: string): void {
  document.cookie = `${name}=${value}; path=/; max-age=${A_YEAR}; samesite=lax`;
}

function kept(name: string): string | undefined {
  return document.cookie.match(new RegExp(`(?:^|; )${name}=([^;]*)`))?.[1];
}

/** Keep the zone that the browser's clock is in; a page that was written for another is loaded again. */
export function keepZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || kept("tocsin_zone") === zone) return;
  keep("tocsin_zone", zone);
  if (kept("tocsin_zone") === zone && document.querySelector("time")) location.reload();
}

/** Go from the system's theme to the other one, and back. */
export function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("tocsin_theme", root.dataset.theme);
}

/** Close the menu of who is logged in when something else is clicked, or with Escape. */
export function listenToMenus(): void {
  const close = (except?: Element | null) => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("[data-menu][open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => {
    close(event.target instanceof Element ? event.target.closest("[data-menu]") : null);
  });
  document.addEventListener(
    "keydown",
    (event) => {
      const menu = document.querySelector<HTMLDetailsElement>("[data-menu][open]");
      if (event.key !== "Escape" || !menu) return;
      event.stopPropagation();
      close();
      menu.querySelector("summary")?.focus();
    },
    true,
  );
}
