-- Ten routes in turn, with values that change: those that hello_atila.py has with few routes, too.
local turn = 0

request = function()
    turn = turn + 1
    return wrk.format("GET", "/r" .. (turn % 10) * 1000 .. "/" .. turn .. "/an_item")
end
