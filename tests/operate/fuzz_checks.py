"""A check of our own for Schemathesis: an address that the document allows is taken.

Its `positive_data_acceptance` asks that of bodies too, and there it cannot hold (see fuzz.py). Of what stands after the
question mark it holds: each number has its bounds in the document, each word its list, each text its form. Only what the
server itself has given out before, such as the cursor of a page, has no form that could be written down.
"""
import schemathesis
from schemathesis.core.failures import Failure


# What no form of a single parameter can say: one that another one needs, several that are too large together, and which
# letters can be seen, which is a table of Unicode.
OF_SEVERAL = {"required", "too_large", "characters"}


def given_out(parameter):
    return parameter.get("schema", {}).get("format") == "given-out"


@schemathesis.check
def allowed_query_is_taken(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return None
    told = response.json()["error"]
    refused = {one["field"] for one in told.get("fields") or [] if one["code"] not in OF_SEVERAL}
    described = [one for one in case.operation.definition.raw.get("parameters", []) if one["in"] == "query"]
    held = {one["name"] for one in described if not given_out(one)}
    if refused & held:
        raise Failure(operation=case.operation.label, title="A query that the document allows is refused", message=f"{case.query}: {told['fields']}")
    return None
