// The way out of a page for young people: another page takes this one's place, so that "back" does not lead here.
(function () {
  "use strict";
  var link = document.getElementById("leave");
  if (!link) { return; }
  function leave(event) {
    if (event) { event.preventDefault(); }
    document.documentElement.hidden = true;
    window.location.replace(link.href);
  }
  link.addEventListener("click", leave);
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { leave(event); } });
}());
