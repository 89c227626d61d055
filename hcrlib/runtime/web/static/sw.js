// Keeps the app usable without a connection: the server is asked first, the cache answers if it cannot be reached.
const ROOT = new URL("./", location).pathname;
const MINE = `hcr ${ROOT} `; // caches are shared by all apps of an origin
const NAME = `${MINE}{{ version }}`;
const ASSETS = ["", {% if reads_pages %}"read", {% endif %}"manifest.webmanifest", {% for name in assets %}"static/{{ name }}"{{ ", " if not loop.last }}{% endfor %}].map((path) => ROOT + path);

addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(ASSETS)).then(() => skipWaiting()));
});
addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => (name.startsWith(MINE) || name.startsWith("hcr-")) && name !== NAME);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => clients.claim()));
});
addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !ASSETS.includes(pathname)) return;
  event.respondWith(fetch(event.request).catch(() => caches.match(pathname)));
});
