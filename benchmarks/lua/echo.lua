-- 1 KB of JSON.
local item = '{"id": 1234, "name": "an item", "price": 12.5, "tags": ["a", "b"], "note": null}'
wrk.method = "POST"
wrk.body = '{"items": [' .. string.rep(item .. ", ", 11) .. item .. "]}"
wrk.headers["Content-Type"] = "application/json"
