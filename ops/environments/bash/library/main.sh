jq -r '.names | join(", ")'
