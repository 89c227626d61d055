// Keeps the app usable without a connection: the server is asked first, the cache answers if it cannot be reached.
const NAME = "hcr-{{ version }}";
const ASSETS = ["/", {% if reads_pages %}"/read", {% endif %}"/manifest.webmanifest", {% for name in assets %}"/static/{{ name }}"{{ ", " if not loop.last }}{% endfor %}];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(ASSETS)).then(() => skipWaiting()));
});
addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("hcr-") && name !== NAME);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => clients.claim()));
});
addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !ASSETS.includes(pathname)) return;
  event.respondWith(fetch(event.request).catch(() => caches.match(pathname)));
});
