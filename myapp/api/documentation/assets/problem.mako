<%inherit file="page.mako"/>
<%def name="title()">${kind.title} (${kind.code})</%def>
<main class="single">
<p class="soft"><span class="status">${kind.status}</span> <code>${kind.code}</code></p>
<h1>${kind.title}</h1>
<p>${described(kind.explanation)}</p>
<p><a href="/docs#refusals">All refusals</a></p>
</main>
