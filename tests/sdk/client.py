"""Zoho's official Python SDK against `storemirror simulate`: what a pusher needs of a CRM, step by step.

    storemirror simulate --json | (read -r connection; echo "$connection" | python3 tests/sdk/client.py)

reads one line, the connection; prints one line per step and ends with 1 at the first that fails.
Needs `pip install zohocrmsdk8_0`.
"""

import json
import sys
import tempfile

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import Initializer, ParameterMap, SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query, CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations, GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.modules import ModulesOperations
from zohocrmsdk.src.com.zoho.crm.api.record import (
    BodyWrapper, GetRecordsParam, Record, RecordOperations, SuccessResponse)
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

SUBSCRIPTIONS, TRANSACTIONS = "Partner_Subscriptions", "Partner_Transactions"
# more than the 2,000 that page numbers reach
MANY, PER_PAGE = 2_150, 200


def step(name, is_good, seen=None):
    print("ok  " if is_good else "FAIL", name, "" if is_good else repr(seen), flush=True)
    if not is_good:
        sys.exit(1)


def start(connection):
    folder, base = tempfile.mkdtemp(), connection["accounts_url"]
    crm = connection["crm"]
    token = OAuthToken(client_id=crm["client_id"], client_secret=crm["client_secret"],
                       refresh_token=crm["refresh_token"])
    Initializer.initialize(
        DataCenter.Environment(crm["api_url"], base + "/oauth/v2/token", crm["api_url"]), token,
        store=FileStore(folder + "/tokens"), resource_path=folder,
        logger=Logger.get_instance(Logger.Levels.ERROR, folder + "/log"),
        sdk_config=SDKConfig(pick_list_validation=False))


def body(records, keys=None):
    wrapper = BodyWrapper()
    data = []
    for values in records:
        record = Record()
        for name, value in values.items():
            record.add_key_value(name, value)
        data.append(record)
    wrapper.set_data(data)
    wrapper.set_trigger([])
    if keys:
        wrapper.set_duplicate_check_fields(keys)
    return wrapper


def items(answer):
    """HTTP status, and for each record its action and id, or its code, field and details."""
    seen = []
    for item in answer.get_object().get_data():
        details = {key: value.get_value() if isinstance(value, Choice) else value
                   for key, value in item.get_details().items()}
        if isinstance(item, SuccessResponse):
            action = item.get_action()
            seen.append((action and action.get_value(), details["id"]))
        else:
            seen.append((item.get_code().get_value(), details.get("api_name")))
    return answer.get_status_code(), seen


def upsert(module, records):
    return items(RecordOperations(module).upsert_records(body(records, ["Name"])))


def listed(module, fields, token=None, page=None):
    parameters = ParameterMap()
    parameters.add(GetRecordsParam.fields, fields)
    parameters.add(GetRecordsParam.per_page, PER_PAGE)
    if token:
        parameters.add(GetRecordsParam.page_token, token)
    if page:
        parameters.add(GetRecordsParam.page, page)
    return RecordOperations(module).get_records(parameters)


def main():
    start(json.loads(sys.stdin.readline()))

    modules = ModulesOperations().get_modules()
    names = [module.get_api_name() for module in modules.get_object().get_modules()]
    step("settings: modules", {SUBSCRIPTIONS, TRANSACTIONS, "Accounts"} <= set(names), names)

    parameters = ParameterMap()
    parameters.add(GetFieldsParam.module, SUBSCRIPTIONS)
    fields = {field.get_api_name(): field for field in
              FieldsOperations().get_fields(parameters).get_object().get_fields()}
    step("settings: fields", fields["Payload"].get_length() >= 2_000
         and fields["Account"].get_lookup().get_module().get_api_name() == "Accounts"
         and fields["Status"].get_pick_list_values()[0].get_actual_value() is not None, list(fields))

    status, seen = upsert(SUBSCRIPTIONS, [{"Name": "sdk:1", "Company_Name": "One", "Next_Recurring_Amount": 12.5},
                                          {"Name": "sdk:2", "Status": Choice("active")}])
    step("upsert: insert", status == 200 and [action for action, _ in seen] == ["insert", "insert"], seen)
    first = seen[0][1]
    status, seen = upsert(SUBSCRIPTIONS, [{"Name": "sdk:1", "Company_Name": "Won"}])
    step("upsert: update", status == 200 and seen == [("update", first)], seen)

    status, seen = upsert(SUBSCRIPTIONS, [{"Name": "sdk:3"}, {"Name": "sdk:4", "Company_Name": "x" * 256}])
    step("upsert: mixed answer", status == 207 and seen[0][0] == "insert"
         and seen[1] == ("INVALID_DATA", "Company_Name"), (status, seen))
    status, seen = upsert(SUBSCRIPTIONS, [{"Name": "sdk:4", "Company_Name": "x" * 256}])
    step("upsert: all refused", status == 400 and seen == [("INVALID_DATA", "Company_Name")], (status, seen))

    parent = Record()
    parent.set_id(int(first))
    status, seen = upsert(TRANSACTIONS, [{"Name": "sdk:10", "Subscription": parent}])
    step("upsert: lookup", status == 200 and seen[0][0] == "insert", (status, seen))
    child = RecordOperations(TRANSACTIONS).get_record(int(seen[0][1])).get_object().get_data()[0]
    step("get: lookup", str(child.get_key_value("Subscription").get_id()) == str(first), child.get_key_values())

    record = RecordOperations(SUBSCRIPTIONS).get_record(int(first)).get_object().get_data()[0]
    step("get: one record", record.get_key_value("Company_Name") == "Won"
         and record.get_key_value("Next_Recurring_Amount") == 12.5, record.get_key_values())

    renamed = Record()
    renamed.set_id(int(first))
    renamed.add_key_value("Company_Name", "Again")
    wrapper = BodyWrapper()
    wrapper.set_data([renamed])
    status, seen = items(RecordOperations(SUBSCRIPTIONS).update_records(wrapper))
    step("update by id", status == 200 and seen[0][1] == first, (status, seen))

    for start_at in range(0, MANY, 100):
        rows = [{"Name": f"row:{number}"} for number in range(start_at, min(start_at + 100, MANY))]
        status, seen = items(RecordOperations(TRANSACTIONS).create_records(body(rows)))
        assert status == 201 and len(seen) == len(rows), (status, seen)
    found, token = set(), None
    while True:
        page = listed(TRANSACTIONS, "Name", token).get_object()
        found.update(row.get_key_value("Name") for row in page.get_data())
        token = page.get_info().get_next_page_token()
        if not page.get_info().get_more_records():
            break
    step("get: page token past 2,000", len(found) == MANY + 1, len(found))
    refused = listed(TRANSACTIONS, "Name", page=MANY // PER_PAGE + 1).get_object()
    step("get: page number past 2,000", refused.get_code().get_value() == "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
         refused.get_code().get_value())
    step("get: nothing there", listed("Partner_Commissions", "Name").get_status_code() == 204)

    query = Query()
    query.set_select_query(f"select Name, Company_Name from {SUBSCRIPTIONS} "
                           "where Name in ('sdk:1', 'sdk:2') order by Name asc limit 10")
    answer = CoqlOperations().get_records(query).get_object()
    # a row of a query belongs to no module for the SDK, which then keeps Name under a key of its own
    rows = [(row.get_key_values()["name"], row.get_key_value("Company_Name")) for row in answer.get_data()]
    step("coql", rows == [("sdk:1", "Again"), ("sdk:2", None)] and answer.get_info().get_count() == 2, rows)
    query.set_select_query(f"select Name from {SUBSCRIPTIONS} where Name = 'nobody'")
    step("coql: nothing found", CoqlOperations().get_records(query).get_status_code() == 204)


main()
