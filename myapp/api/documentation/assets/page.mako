<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${self.title()}</title>
<style>${style | n}</style>
</head>
<body>
${next.body()}
</body>
</html>
