'''The screens of the console: one module for each, named in ``screens``.

How a screen is made. A module here has its pages as a constant::

    ROUTES: tuple[Page, ...] = (
        Page("/runs", runs, title="Runs"),
        Page("/runs/{run}/end", end, method="POST", role=Role.OPERATOR),
    )

    def runs(view: View) -> Answer:
        """What runs now."""
        return view.render("runs.html", runs=list_runs(view.database))

* A ``Page`` has a path (``/targets/{target:path}``, as names may have slashes), its function, its method
  (``GET``, which answers ``HEAD`` too, or ``POST``), the least role, and a title if it stands in the navigation.
* The function is an ordinary one: it may block, as it runs in a thread of a bounded pool. Its ``View`` has the
  database, the user, ``query``, ``form`` and ``path``, the configuration, and ``render``, ``redirect``, ``json``
  and ``download``, which make its ``Answer``.
* What it raises becomes a page with its line: ``ConfigError`` 400 (wrong parameters), ``Forbidden`` 403,
  ``Absent`` 404, and any other ``SluiceError`` 503, as is ``OtherVersion``, which tries again by itself. Anything
  else is 500 with an ID that is in the log too.
* A page that is a ``POST`` is an action. Before the function is called, the session's token and the role are
  checked, and that the console is not read-only; ``view.reason()`` is the reason that the form must have.
  Afterwards it returns ``view.redirect("/runs", "Run 7 has ended.")``: 303, and the next page shows the text.
* Templates extend ``base.html`` and fill ``{% block title %}`` and ``{% block main %}``. With ``{% import "parts.html"
  as parts with context %}`` they have ``parts.form(action)`` (a form with its token), ``parts.reason()``,
  ``parts.chart(…)`` and ``parts.more(link)``.
* Every value that a template prints is escaped, and control, bidi and other invisible characters are shown as
  ``\\x1b`` or ``\\u202e``. Newlines stay; ``{{ text|shown }}`` shows them too. ``{{ moment|time }}`` takes
  seconds or a ``datetime``, ``{{ n|count }}`` a number or a ``Count``, ``{{ s|duration }}`` seconds;
  ``link("/dead-letters", stage="parse", after=None)`` is an address without what is None.
* A page refreshes itself if it says ``{% block live %}live{% endblock %}``: the same address is asked for every
  ``--refresh`` seconds, and its ``main`` takes the place of the old one, unless the tab is hidden or somebody
  has begun to fill in a form.
* A template for a screen has no inline script or style: classes are in ``static/console.css``.
'''
