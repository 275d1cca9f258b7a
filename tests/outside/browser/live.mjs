// An open page stays true. argv: the origin, what to wait for before anything changes, and after.
import { check, watched, withBrowser } from "./browser.mjs";

const [origin, before, after] = process.argv.slice(2);

await withBrowser(async (browser) => {
  const context = await browser({ viewport: { width: 1000, height: 500 } });
  const page = await watched(context, "live", origin);
  const listens = page.waitForResponse((answer) => answer.url().endsWith("/events/stream"));
  await page.goto(`${origin}/`);
  const status = page.locator("#targets td.status").first();
  await status.filter({ hasText: before }).waitFor();
  await page.evaluate(() => { window.isTheSame = true; });
  const search = page.locator("input[type=search]");
  await search.fill("half a wo");
  await search.focus();
  // Whoever runs this makes the change now, when the page is sure to listen.
  await listens;
  console.log("ready");
  await status.filter({ hasText: after }).waitFor();
  check(await page.evaluate(() => window.isTheSame === true), "it was loaded anew");
  check((await search.inputValue()) === "half a wo", "what was typed is gone");
  check(await search.evaluate((input) => input === document.activeElement), "the focus is gone");
  const said = await page.locator("#said").textContent();
  check(/^Updated: .* · regwatch$/.test(said), `a screen reader is told ${JSON.stringify(said)}`);

  // A link keeps the focus, though it is another element afterwards, and the page its place.
  const link = page.locator("#targets td.target a").first();
  await link.focus();
  await page.evaluate(() => window.scrollTo(0, 200));
  const href = await link.getAttribute("href");
  console.log("ready");
  await status.filter({ hasText: before }).waitFor();
  const focused = await page.evaluate(() => document.activeElement.getAttribute("href"));
  check(focused === href, `the focus went to ${focused}`);
  const place = await page.evaluate(() => window.scrollY);
  check(place === 200, `the page moved to ${place}`);
  await context.close();
});
