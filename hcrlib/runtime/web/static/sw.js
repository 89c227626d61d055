// Keeps the page for when there is no connection: the server is asked first, what was kept answers where it does not.
const NAME = "hcr-{{ version }}";
const PARTS = ["/", {% if reads %}"/read", {% endif %}"/manifest.webmanifest", {% for name in parts %}"/static/{{ name }}"{{ ", " if not loop.last }}{% endfor %}];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(PARTS)).then(() => skipWaiting()));
});
addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("hcr-") && name !== NAME);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => clients.claim()));
});
addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !PARTS.includes(pathname)) return;
  event.respondWith(fetch(event.request).catch(() => caches.match(pathname)));
});
