// Runs before the first paint, so that a dark page never flashes white. A file of its own: the content policy allows no inline script.
(function () {
  var root = document.documentElement;
  var theme = null;
  try {
    theme = localStorage.getItem('ccr.theme');
    var language = localStorage.getItem('ccr.language');
    if (language) root.lang = language;
  } catch {
    // Storage may be closed to us: then the system's choice holds.
  }
  var dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.classList.toggle('dark', dark);
})();
