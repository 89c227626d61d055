// Passes a file from one of the app's pages to the other one, in the browser: `pass` it, then open the page at `#passed`.

const NAME = `hcr ${new URL("./", location).pathname}`; // databases are shared by all apps of an origin
const PASSED = "passed";

export async function pass(file) {
  await within("readwrite", (store) => store.put(file, PASSED));
}

// Resolves to the file that was passed, once; undefined if there is none.
export async function passed() {
  if (location.hash !== `#${PASSED}`) return undefined;
  history.replaceState(null, "", location.pathname);
  const file = await within("readonly", (store) => store.get(PASSED));
  await within("readwrite", (store) => store.delete(PASSED));
  return file;
}

async function within(mode, work) {
  const opening = indexedDB.open(NAME);
  opening.onupgradeneeded = () => opening.result.createObjectStore(PASSED);
  const database = await done(opening);
  try {
    return await done(work(database.transaction(PASSED, mode).objectStore(PASSED)));
  } finally {
    database.close();
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
