-- One mount point after the other.
local requests = {}
init = function(arguments)
  for number = 1, 1000 do requests[number] = wrk.format("GET", "/m" .. number .. "/page") end
end
local number = 0
request = function()
  number = number % 1000 + 1
  return requests[number]
end
