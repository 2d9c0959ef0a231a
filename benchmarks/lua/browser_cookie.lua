-- A browser's request with another cookie each time.
local folder = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
dofile(folder .. "/browser.lua")
dofile(folder .. "/cookie.lua")
