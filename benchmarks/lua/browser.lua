-- The 15 header fields of a browser's request for a page, always the same.
local fields = {
  {"Connection", "keep-alive"},
  {"sec-ch-ua", '"Chromium";v="124", "Google Chrome";v="124"'},
  {"sec-ch-ua-mobile", "?0"},
  {"sec-ch-ua-platform", '"Linux"'},
  {"Upgrade-Insecure-Requests", "1"},
  {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"},
  {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
  {"Sec-Fetch-Site", "none"},
  {"Sec-Fetch-Mode", "navigate"},
  {"Sec-Fetch-User", "?1"},
  {"Sec-Fetch-Dest", "document"},
  {"Accept-Encoding", "gzip, deflate, br, zstd"},
  {"Accept-Language", "en-US,en;q=0.9"},
  {"Cookie", "session=abcdefghijklmnopqrstuvwxyz0123456789; csrf=zyxwvutsrqponmlkjihgfedcba"},
}
for _, field in ipairs(fields) do wrk.headers[field[1]] = field[2] end
