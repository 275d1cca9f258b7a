// Chromium, and what it complains about.
//
// The packages are below target/, where tests/run installs them; TOOLS names the folder.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.TOOLS, "package.json"));
const { chromium } = require("playwright-core");
export const { default: AxeBuilder } = require("@axe-core/playwright");

/// The longest that anything may take: this machine may stand still for a while.
export const PATIENCE = 60_000;

/// What was found amiss.
export const findings = [];

export const check = (isRight, finding) => isRight || findings.push(finding);

/// Runs with a browser that has never been anywhere, and tells what was found by the exit status.
export async function withBrowser(run) {
  const profile = mkdtempSync(join(tmpdir(), "regwatch-browser-"));
  const context = async (options) => {
    const context = await chromium.launchPersistentContext(mkdtempSync(join(profile, "profile-")), {
      executablePath: "/usr/bin/chromium",
      args: [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
      timeout: PATIENCE,
      ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    return context;
  };
  try {
    await run(context);
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  for (const finding of findings) console.error(finding);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

/// A page of which all complaints are findings: errors, refused policies, requests that lead elsewhere.
export async function watched(context, name, origin) {
  const page = await context.newPage();
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && findings.push(`${name}: console: ${said.text()}`));
  page.on("pageerror", (error) => findings.push(`${name}: ${error}`));
  page.on("request", (request) => {
    const url = request.url();
    check(url.startsWith(origin) || url.startsWith("data:"), `${name}: asks for ${url}`);
  });
  return page;
}
