// Search results: what tells people how to do something comes before what was found in a notebook, a result or the changelog.
const WEIGHTS = [
  [/^docs\/howto\//, 3],
  [/^docs\/(start|concepts\/|reference\/(models|datasets|sweeps|parameters|commands))/, 2],
  [/^docs\/(results|index)$/, 2],
  [/^docs\/(about|bibliography|reference\/reports)$/, 0.3],
  [/^docs\//, 1.5],
  [/^notebooks\//, 0.6],
  [/^(results\/|CHANGELOG|CONTRIBUTING)/, 0.5],
];
var Scorer = {
  score: ([docname, , , , score]) => score * (WEIGHTS.find(([pattern]) => pattern.test(docname)) || [, 1])[1],
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
