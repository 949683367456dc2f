"""Calls every operation of PetSage API and compares the responses with the contract."""

import os
from http import HTTPStatus

from petsage import Client, models
from petsage.api.health_monitoring import check_logging, check_operation
from petsage.api.system_health import check_builder, check_liveness, echo, get_info, get_readiness

client = Client(base_url=os.environ.get("PETSAGE_URL", "http://localhost:8000"))


def expect(response, parsed, status=HTTPStatus.OK):
    assert (response.status_code, response.parsed) == (status, parsed), response


response = get_readiness.sync_detailed(client=client)
assert response.status_code == HTTPStatus.OK, response
assert response.parsed.status in ("ok", "degraded"), response
assert response.parsed.checks["log"] == "up", response

response = get_info.sync_detailed(client=client)
assert response.status_code == HTTPStatus.OK, response
assert response.parsed.name == "petsage-api", response
assert response.parsed.started_at.utcoffset().total_seconds() == 0, response

response = check_operation.sync_detailed(client=client)
expect(
    response,
    models.OperationalResponse(
        status=models.OperationalResponseStatus.OK,
        message="PetSage Smoke Test: Service is operational.",
        timestamp=response.parsed.timestamp,
    ),
)

expect(
    check_liveness.sync_detailed(client=client),
    models.LivenessResponse(
        status=models.LivenessResponseStatus.OK,
        message="PetSage API is alive and running!",
    ),
)

expect(
    check_builder.sync_detailed(client=client),
    models.BuilderResponse(
        status=models.BuilderResponseStatus.OK,
        feature=models.BuilderResponseFeature.SMOKE_TEST,
        message="PetSage builder is functional!",
    ),
)

response = check_logging.sync_detailed(client=client)
expect(
    response,
    models.LoggingResponse(
        status=models.LoggingResponseStatus.OK,
        message="PetSage service is running and logging is operational.",
        timestamp=response.parsed.timestamp,
    ),
)

response = echo.sync_detailed(client=client, body=models.EchoRequest(ping="hello 🐾"))
expect(
    response,
    models.EchoResponse(
        status=models.EchoResponseStatus.OK,
        message="PetSage system is operational.",
        pong="hello 🐾",
        timestamp=response.parsed.timestamp,
    ),
)

expect(
    echo.sync_detailed(client=client, body=models.EchoRequest(ping=5)),
    models.HTTPValidationError(
        detail=[
            models.ValidationError(
                type_="string_type",
                loc=["body", "ping"],
                msg="Input should be a valid string",
                input_=5,
            )
        ]
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
