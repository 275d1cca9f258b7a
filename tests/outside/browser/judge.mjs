// Looks at pages as people do: in the light and in the dark, on a desk and on a phone, without a script, and
// with a keyboard; has axe look too, and keeps pictures of all.
//
// argv: where to keep the pictures, and JSON of [{name, origin, path}]; the first is an overview with targets.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder, check, findings, watched, withBrowser } from "./browser.mjs";

const [pictures, list] = process.argv.slice(2);
const pages = JSON.parse(list);
mkdirSync(pictures, { recursive: true });

const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };

/// Elements that stick out of the window to the right.
const overhang = () => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const all = [...document.querySelectorAll("body *")];
  const out = all.filter((element) => element.getBoundingClientRect().right > width + 1);
  return out.slice(-3).map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`);
};

async function look(context, view, { name, origin, path }) {
  const seen = `${name}-${view}`;
  const page = await watched(context, seen, origin);
  const answer = await page.goto(origin + path);
  check(answer.ok(), `${seen}: ${answer.status()}`);
  await page.waitForSelector("#live:not([hidden])");
  const sticksOut = await page.evaluate(overhang);
  check(sticksOut.length === 0, `${seen}: sticks out: ${sticksOut.join(" | ")}`);
  // Nothing is framed here, so axe need not open a page of its own to look into frames.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  for (const { id, help, nodes } of violations) {
    findings.push(`${seen}: axe: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`);
  }
  await page.screenshot({ path: join(pictures, `${seen}.png`), fullPage: true });
  await page.close();
}

/// All texts that are there with a script are there without.
async function withoutScript(context, { name, origin, path }) {
  const page = await watched(context, `${name}-plain`, origin);
  await page.goto(origin + path);
  check(await page.locator("h1").isVisible(), `${name}: no heading without a script`);
  check(await page.locator("#live").isHidden(), `${name}: says that it is live without a script`);
  const hidden = await page.locator("main [hidden], noscript").count();
  check(hidden === 0, `${name}: ${hidden} parts are hidden without a script`);
  await page.close();
}

/// Filters and follows a link with nothing but a keyboard.
async function keyboard(context, { origin, path }) {
  const page = await watched(context, "keyboard", origin);
  await page.goto(origin + path);
  await page.keyboard.press("Tab");
  check((await page.evaluate(() => document.activeElement.textContent)) === "Skip to the content", "keyboard: no skip link");
  const until = async (selector) => {
    for (let tabs = 0; tabs < 200; tabs += 1) {
      if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
      await page.keyboard.press("Tab");
    }
    findings.push(`keyboard: no way to ${selector}`);
  };
  const isOutlined = () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
  await until("input[type=search]");
  check(await isOutlined(), "keyboard: the focus in the search is not seen");
  await page.keyboard.type("us-east-1");
  await Promise.all([page.waitForURL(/q=us-east-1/), page.keyboard.press("Enter")]);
  check((await page.inputValue("input[type=search]")) === "us-east-1", "keyboard: the search was forgotten");
  await page.reload();
  check((await page.inputValue("input[type=search]")) === "us-east-1", "keyboard: a reload forgets the search");
  await until("#targets td.target a");
  check(await isOutlined(), "keyboard: the focus on a link is not seen");
  await Promise.all([page.waitForURL(/targets\//), page.keyboard.press("Enter")]);
  check(await page.locator("h1").isVisible(), "keyboard: the target has no heading");
  await page.goBack();
  check(/q=us-east-1/.test(page.url()), "keyboard: the way back forgets the search");
  await page.close();
}

await withBrowser(async (browser) => {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser({ viewport, colorScheme });
      for (const page of pages) await look(context, `${size}-${colorScheme}`, page);
      await context.close();
    }
  }
  const plain = await browser({ viewport: SIZES.desk, javaScriptEnabled: false });
  for (const page of pages) await withoutScript(plain, page);
  await plain.close();
  const typing = await browser({ viewport: SIZES.desk });
  await keyboard(typing, pages[0]);
  await typing.close();
});
