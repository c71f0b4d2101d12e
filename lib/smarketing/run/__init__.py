"""The top floor: `cli` (commands), `plans` (what each notebook accepts), `suite` (run and publish), `ledger`."""
