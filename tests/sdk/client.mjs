// Zoho's official Node SDK against `storemirror simulate`: what a pusher needs of a CRM, step by step.
//
//     storemirror simulate --json | (read -r connection; echo "$connection" | node tests/sdk/client.mjs FOLDER)
//
// reads one line, the connection; prints one line per step and ends with 1 at the first that fails.
// FOLDER is where `npm install @zohocrm/nodejs-sdk-8.0` was run.

import { createRequire } from "node:module";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const entry = createRequire(join(resolve(process.argv[2] ?? "."), "x")).resolve("@zohocrm/nodejs-sdk-8.0");
const sdk = await import(pathToFileURL(entry));
const { Record: records, Fields: fields, Modules: modules, Coql: coql } = sdk;

const [SUBSCRIPTIONS, TRANSACTIONS] = ["Partner_Subscriptions", "Partner_Transactions"];
// more than the 2,000 that page numbers reach
const [MANY, PER_PAGE] = [2150, 200];

function step(name, isGood, seen) {
  console.log(isGood ? "ok  " : "FAIL", name, isGood ? "" : JSON.stringify(seen));
  if (!isGood) process.exit(1);
}

async function start(connection) {
  const folder = mkdtempSync(join(tmpdir(), "sdk-"));
  const { accounts_url: accounts, crm } = connection;
  const token = new sdk.OAuthBuilder().clientId(crm.client_id).clientSecret(crm.client_secret)
    .refreshToken(crm.refresh_token).build();
  await (await new sdk.InitializeBuilder())
    .environment(new sdk.Environment(crm.api_url, `${accounts}/oauth/v2/token`, crm.api_url))
    .token(token).store(new sdk.FileStore(join(folder, "tokens"))).resourcePath(folder)
    .SDKConfig(new sdk.SDKConfigBuilder().pickListValidation(false).build())
    .initialize();
}

function body(rows, keys) {
  const wrapper = new records.BodyWrapper();
  wrapper.setData(rows.map((values) => {
    const record = new records.Record();
    for (const [name, value] of Object.entries(values)) record.addKeyValue(name, value);
    return record;
  }));
  wrapper.setTrigger([]);
  if (keys) wrapper.setDuplicateCheckFields(keys);
  return wrapper;
}

// HTTP status, and for each record its action and id, or its code and field
function items(answer) {
  const seen = answer.getObject().getData().map((item) => {
    const details = item.getDetails();
    return item instanceof records.SuccessResponse
      ? [item.getAction()?.getValue() ?? null, String(details.get("id"))]
      : [item.getCode().getValue(), details.get("api_name")];
  });
  return [answer.getStatusCode(), seen];
}

const upsert = async (module, rows) =>
  items(await new records.RecordOperations(module).upsertRecords(body(rows, ["Name"]), new sdk.HeaderMap()));

async function listed(module, names, token, page) {
  const parameters = new sdk.ParameterMap();
  await parameters.add(records.GetRecordsParam.FIELDS, names);
  await parameters.add(records.GetRecordsParam.PER_PAGE, PER_PAGE);
  if (token) await parameters.add(records.GetRecordsParam.PAGE_TOKEN, token);
  if (page) await parameters.add(records.GetRecordsParam.PAGE, page);
  return new records.RecordOperations(module).getRecords(parameters, new sdk.HeaderMap());
}

const one = async (module, id) =>
  (await new records.RecordOperations(module).getRecord(BigInt(id), new sdk.ParameterMap(), new sdk.HeaderMap()))
    .getObject().getData()[0];

async function main() {
  await start(JSON.parse(readFileSync(0, "utf8").split("\n")[0]));

  const found = await new modules.ModulesOperations().getModules(new sdk.ParameterMap(), new sdk.HeaderMap());
  const names = found.getObject().getModules().map((module) => module.getAPIName());
  step("settings: modules", [SUBSCRIPTIONS, TRANSACTIONS, "Accounts"].every((name) => names.includes(name)), names);

  const parameters = new sdk.ParameterMap();
  await parameters.add(fields.GetFieldsParam.MODULE, SUBSCRIPTIONS);
  const described = (await new fields.FieldsOperations().getFields(parameters)).getObject().getFields();
  const field = (name) => described.find((known) => known.getAPIName() === name);
  step("settings: fields", field("Payload").getLength() >= 2000
    && field("Account").getLookup().getModule().getAPIName() === "Accounts"
    && field("Status").getPickListValues()[0].getActualValue() != null, described.length);

  let [status, seen] = await upsert(SUBSCRIPTIONS, [
    { Name: "sdk:1", Company_Name: "One", Next_Recurring_Amount: 12.5 },
    { Name: "sdk:2", Status: new sdk.Choice("active") }]);
  step("upsert: insert", status === 200 && seen.every(([action]) => action === "insert"), [status, seen]);
  const first = seen[0][1];
  [status, seen] = await upsert(SUBSCRIPTIONS, [{ Name: "sdk:1", Company_Name: "Won" }]);
  step("upsert: update", status === 200 && seen[0][0] === "update" && seen[0][1] === first, [status, seen]);

  const long = "x".repeat(256);
  [status, seen] = await upsert(SUBSCRIPTIONS, [{ Name: "sdk:3" }, { Name: "sdk:4", Company_Name: long }]);
  step("upsert: mixed answer", status === 207 && seen[0][0] === "insert"
    && seen[1].join() === "INVALID_DATA,Company_Name", [status, seen]);
  [status, seen] = await upsert(SUBSCRIPTIONS, [{ Name: "sdk:4", Company_Name: long }]);
  step("upsert: all refused", status === 400 && seen[0].join() === "INVALID_DATA,Company_Name", [status, seen]);

  const parent = new records.Record();
  parent.setId(BigInt(first));
  [status, seen] = await upsert(TRANSACTIONS, [{ Name: "sdk:10", Subscription: parent }]);
  step("upsert: lookup", status === 200 && seen[0][0] === "insert", [status, seen]);
  const child = await one(TRANSACTIONS, seen[0][1]);
  step("get: lookup", String(child.getKeyValue("Subscription").getId()) === first, seen);

  const record = await one(SUBSCRIPTIONS, first);
  step("get: one record", record.getKeyValue("Company_Name") === "Won"
    && record.getKeyValue("Next_Recurring_Amount") === 12.5, [...record.getKeyValues().keys()]);

  const again = new records.Record();
  again.setId(BigInt(first));
  again.addKeyValue("Company_Name", "Again");
  const wrapper = new records.BodyWrapper();
  wrapper.setData([again]);
  [status, seen] = items(await new records.RecordOperations(SUBSCRIPTIONS).updateRecords(wrapper, new sdk.HeaderMap()));
  step("update by id", status === 200 && seen[0][1] === first, [status, seen]);

  for (let from = 0; from < MANY; from += 100) {
    const rows = Array.from({ length: Math.min(100, MANY - from) }, (_, place) => ({ Name: `row:${from + place}` }));
    [status, seen] = items(await new records.RecordOperations(TRANSACTIONS).createRecords(body(rows), new sdk.HeaderMap()));
    if (status !== 201 || seen.length !== rows.length) step("create", false, [status, seen]);
  }
  const seenNames = new Set();
  for (let token = null, more = true; more;) {
    const page = (await listed(TRANSACTIONS, "Name", token)).getObject();
    for (const row of page.getData()) seenNames.add(row.getKeyValue("Name"));
    token = page.getInfo().getNextPageToken();
    more = page.getInfo().getMoreRecords();
  }
  step("get: page token past 2,000", seenNames.size === MANY + 1, seenNames.size);
  const refused = (await listed(TRANSACTIONS, "Name", null, Math.floor(MANY / PER_PAGE) + 1)).getObject();
  step("get: page number past 2,000",
    refused.getCode().getValue() === "DISCRETE_PAGINATION_LIMIT_EXCEEDED", refused);
  step("get: nothing there", (await listed("Partner_Commissions", "Name")).getStatusCode() === 204);

  const query = new coql.BodyWrapper();
  query.setSelectQuery(`select Name, Company_Name from ${SUBSCRIPTIONS} `
    + "where Name in ('sdk:1', 'sdk:2') order by Name asc limit 10");
  const answer = (await new coql.CoqlOperations().getRecords(query)).getObject();
  // a row of a query belongs to no module for the SDK, which then keeps Name under a key of its own
  const rows = answer.getData().map((row) => [row.getKeyValues().get("name"), row.getKeyValue("Company_Name")]);
  step("coql", JSON.stringify(rows) === '[["sdk:1","Again"],["sdk:2",null]]'
    && answer.getInfo().getCount() === 2, rows);
  query.setSelectQuery(`select Name from ${SUBSCRIPTIONS} where Name = 'nobody'`);
  step("coql: nothing found", (await new coql.CoqlOperations().getRecords(query)).getStatusCode() === 204);
}

await main();
