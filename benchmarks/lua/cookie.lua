-- Another cookie in every request: none comes back within a run.
local before, after
local count = math.floor((os.time() % 100000) * 1e7)
init = function(arguments)
  wrk.headers["Cookie"] = "session=abcdefghijklmnopqrstuvwxyz@; csrf=zyxwvutsrqponmlkjihgfedcba"
  before, after = wrk.format("GET", wrk.path):match("^(.-)@(.*)$")
end
request = function()
  count = count + 1
  return before .. string.format("%.0f", count) .. after
end
