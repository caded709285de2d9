"""What a contract can promise of good requests: they are never refused for their form."""

import schemathesis
from schemathesis.generation import GenerationMode

# Codes that say that a request could not be read. What entities refuse has codes of its own.
FORM = {
    "BODY_MISSING",
    "INVALID_FIELD",
    "INVALID_KEY",
    "MALFORMED_BODY",
    "MALFORMED_QUERY",
    "METHOD_NOT_ALLOWED",
    "MISSING_FIELD",
    "UNSUPPORTED_MEDIA_TYPE",
}


@schemathesis.check
def good_form_is_understood(ctx, response, case):
    meta = case.meta
    if meta is None or not meta.generation.mode == GenerationMode.POSITIVE:
        return
    if response.status_code < 400 or "problem+json" not in (response.headers.get("content-type") or [""])[0]:
        return
    if case.operation.path == "/admin/faults":
        return  # what can go wrong where, and how often, the running system alone knows
    problem = response.json()
    assert problem["code"] not in FORM, f"a good request was refused for its form: {problem['code']}: {problem['detail']}"
