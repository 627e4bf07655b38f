// The tables, as the builder exported them.
const DATA = JSON.parse(document.getElementById("data").textContent);
