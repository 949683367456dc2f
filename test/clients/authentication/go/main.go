// Calls an operation that requires a token.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

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

	rejected, err := client.GetOwnerWithResponse(ctx)
	check(err)
	expect(rejected.StatusCode(), 401)
	expect(rejected.JSON401.Detail, "Not authenticated")

	owner, err := client.GetOwnerWithResponse(ctx, authorize)
	check(err)
	expect(owner.StatusCode(), 200)
	expect(*owner.JSON200, petsage.Owner{Sub: "alice"})

	forbidden, err := client.RegisterOwnerWithResponse(ctx, authorize)
	check(err)
	expect(forbidden.StatusCode(), 403)
	expect(forbidden.JSON403.Detail, "Not enough permissions")
}

func authorize(_ context.Context, request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PETSAGE_TOKEN"))
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expect[T comparable](actual, expected T) {
	if actual != expected {
		log.Fatalf("expected %v, got %v", expected, actual)
	}
}
