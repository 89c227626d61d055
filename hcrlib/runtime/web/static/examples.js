// The examples at the top are links to `#try-...`: the page that can show one takes it.

const FOUR = [  // a 4 that could be a 9
  [[0.508, 0.204], [0.49, 0.188], [0.456, 0.22], [0.38, 0.31], [0.33, 0.41], [0.32, 0.48], [0.37, 0.535], [0.47, 0.54], [0.57, 0.52], [0.65, 0.47]],
  [[0.66, 0.158], [0.655, 0.4], [0.64, 0.6], [0.62, 0.86]],
];
const EXAMPLES = {
  four: { strokes: FOUR, classes: ["4", "9"] },
  letter: { file: "example-letter.webp", classes: ["R"] },
  page: { file: "example-page.webp", classes: [] },
};

const knows = (model, { classes }) => classes.every((each) => model.classes.includes(each));

// Shows the examples that one of these models can read.
export function offerExamples(models) {
  for (const [name, example] of Object.entries(EXAMPLES)) {
    const link = document.getElementById(`example-${name}`);
    if (link) link.hidden = !models.some((model) => knows(model, example));
  }
}

// Returns the model to read an example with: the chosen one, or else the first that can.
export const readerOf = (example, models, chosen) => [chosen, ...models].find((model) => knows(model, example)) ?? chosen;

// Calls takes[name](example) for the example in the address, now and whenever one is chosen.
export function onExample(takes) {
  const look = () => {
    const name = location.hash.replace("#try-", "");
    if (!Object.hasOwn(takes, name)) return;
    history.replaceState(null, "", location.pathname);
    takes[name](EXAMPLES[name]);
  };
  addEventListener("hashchange", look);
  look();
}

// Resolves to the File of an example.
export async function fetched({ file }) {
  const response = await fetch(`static/${file}`);
  if (!response.ok) throw new Error(response.statusText);
  return new File([await response.blob()], file, { type: "image/webp" });
}
