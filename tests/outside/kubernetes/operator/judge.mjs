// Holds custom resources of the Prometheus operator against the definitions that it is released with.
//
// @kubernetes-models/prometheus-operator has made two things of them: checks of values (types, patterns, what
// is required), which pass over a key that they do not know, and types for TypeScript, which know each key at
// each level. So the one runs, and the compiler is asked for the other.
//
// Standard input is a JSON list of resources; each line of standard output is something amiss. The packages
// are below target/, where tests/run installs them; TOOLS names the folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.TOOLS, "package.json"));
const ts = require("typescript");
const PACKAGE = "@kubernetes-models/prometheus-operator";
const model = (kind) => `${PACKAGE}/monitoring.coreos.com/v1/${kind}`;

/// What is wrong with the values.
const wrongValues = async (resource) => {
  const path = join(process.env.TOOLS, "node_modules", `${model(resource.kind)}.js`);
  const { [resource.kind]: Model } = await import(pathToFileURL(path));
  try {
    new Model(resource).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
};

/// What the compiler says when the resources are written down as literals of their types.
const wrongKeys = (resources) => {
  const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [],
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const name = join(process.env.TOOLS, "resources.mts");
  const text = resources.map((resource, number) =>
    `import type { I${resource.kind} as T${number} } from "${model(resource.kind)}";\n` +
    `export const resource${number}: T${number} = ${JSON.stringify(resource, null, 2)};\n`).join("");
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => path === name || fileExists(path);
  host.readFile = (path) => (path === name ? text : readFile(path));
  host.getSourceFile = (path, language) =>
    path === name ? ts.createSourceFile(path, text, language) : getSourceFile(path, language);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
};

const resources = JSON.parse(readFileSync(0, "utf8"));
const findings = [...(await Promise.all(resources.map(wrongValues))).flat(), ...wrongKeys(resources)];
findings.forEach((finding) => console.log(finding.replaceAll("\n", " ")));
