// Calls every operation of PetSage API and compares the responses with the contract.
package main

import (
	"context"
	"log"
	"os"
	"strings"
	"time"

	"petsage-client/petsage"
)

func main() {
	url := os.Getenv("PETSAGE_URL")
	if url == "" {
		url = "http://localhost:8000"
	}
	client, err := petsage.NewClientWithResponses(url)
	check(err)
	ctx := context.Background()

	readiness, err := client.GetReadinessWithResponse(ctx)
	check(err)
	expectStatus(readiness, 200)
	if !readiness.JSON200.Status.Valid() {
		log.Fatalf("readiness: unknown status %q", readiness.JSON200.Status)
	}
	expect(readiness.JSON200.Checks["log"], petsage.ReadyResponseChecksUp)

	info, err := client.GetInfoWithResponse(ctx)
	check(err)
	expectStatus(info, 200)
	expect(info.JSON200.Name, "petsage-api")
	requireTime(info.JSON200.StartedAt)

	operation, err := client.CheckOperationWithResponse(ctx)
	check(err)
	expectStatus(operation, 200)
	expect(*operation.JSON200, petsage.OperationalResponse{
		Status:    petsage.OperationalResponseStatusOk,
		Message:   "PetSage Smoke Test: Service is operational.",
		Timestamp: requireTime(operation.JSON200.Timestamp),
	})

	liveness, err := client.CheckLivenessWithResponse(ctx)
	check(err)
	expectStatus(liveness, 200)
	expect(*liveness.JSON200, petsage.LivenessResponse{
		Status:  petsage.LivenessResponseStatusOk,
		Message: "PetSage API is alive and running!",
	})

	builder, err := client.CheckBuilderWithResponse(ctx)
	check(err)
	expectStatus(builder, 200)
	expect(*builder.JSON200, petsage.BuilderResponse{
		Status:  petsage.BuilderResponseStatusOk,
		Feature: petsage.SmokeTest,
		Message: "PetSage builder is functional!",
	})

	logging, err := client.CheckLoggingWithResponse(ctx)
	check(err)
	expectStatus(logging, 200)
	expect(*logging.JSON200, petsage.LoggingResponse{
		Status:    petsage.LoggingResponseStatusOk,
		Message:   "PetSage service is running and logging is operational.",
		Timestamp: requireTime(logging.JSON200.Timestamp),
	})

	echo, err := client.EchoWithResponse(ctx, petsage.EchoRequest{Ping: "hello 🐾"})
	check(err)
	expectStatus(echo, 200)
	expect(*echo.JSON200, petsage.EchoResponse{
		Status:    petsage.EchoResponseStatusOk,
		Message:   "PetSage system is operational.",
		Pong:      "hello 🐾",
		Timestamp: requireTime(echo.JSON200.Timestamp),
	})

	// EchoRequest cannot contain an invalid value.
	body := strings.NewReader(`{"ping":5}`)
	invalid, err := client.EchoWithBodyWithResponse(ctx, "application/json", body)
	check(err)
	expectStatus(invalid, 422)
	expect(string(invalid.Body), `{"detail":[{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":5}]}`)
	expect(len(invalid.JSON422.Detail), 1)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expectStatus(response interface{ StatusCode() int }, status int) {
	if response.StatusCode() != status {
		log.Fatalf("expected %d, got %d", status, response.StatusCode())
	}
}

// A time that the response does not contain is zero.
func requireTime(value time.Time) time.Time {
	if value.IsZero() {
		log.Fatal("expected a time")
	}
	return value
}

func expect[T comparable](actual, expected T) {
	if actual != expected {
		log.Fatalf("expected %v, got %v", expected, actual)
	}
}
