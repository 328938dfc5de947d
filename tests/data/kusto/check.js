// Reads {tables: {name: schema}, queries: [text]} from standard input and prints, for each query, what
// Microsoft's parser of KQL finds wrong, and the columns of the result.
require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.js");

const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const { tables, queries } = JSON.parse(require("fs").readFileSync(0, "utf8"));

const known = Object.entries(tables).map(
  ([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null),
);
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("tests", known));

const list = (of) => Array.from({ length: of?.Count ?? 0 }, (_, index) => of.getItem(index));

function check(text) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const findings = list(code.GetDiagnostics()).map(
    ({ Message, Start, Length }) => `${Message} ${text.substr(Start, Length)}`,
  );
  return { findings, columns: list(code.ResultType?.Columns).map((column) => [column.Name, column.Type.Name]) };
}

console.log(JSON.stringify(queries.map(check)));
