// What Streamlit leaves out. Without this script the site still works: links load the page anew,
// and figures show their light drawing.
(() => {
  if (window.arenaLab) return
  window.arenaLab = true

  // Figures follow the colour mode without asking the server.
  const app = document.querySelector(".stApp")
  const follow = () => {
    document.documentElement.dataset.labTheme = getComputedStyle(app).colorScheme
  }
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] })
  follow()

  // Formulas keep their places: their fonts are there before the first of them.
  for (const font of window.arenaLabFonts ?? []) fetch(font, { priority: "low" })

  // Links within the site change the page in place: Streamlit answers to the browser's history.
  const column = () => document.querySelector('[data-testid="stMain"]')
  const tops = new Map() // where the reader was, by the place in the history
  let here = history.state?.labPlace ?? 0
  let last = here
  history.replaceState({ ...history.state, labPlace: here }, "")

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]')
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return
    event.preventDefault()
    go(link.getAttribute("href"))
  })

  const go = (address) => {
    tops.set(here, column().scrollTop)
    here = last += 1
    history.pushState({ labPlace: here }, "", address)
    dispatchEvent(new PopStateEvent("popstate"))
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches?.(".lab-search")) return
    event.preventDefault()
    const words = new FormData(event.target).get("search").trim()
    if (words) go(`?${new URLSearchParams({ search: words })}`)
  })

  // Streamlit's menu holds the choice of colours: it is opened and closed without being seen.
  const root = document.documentElement
  const pause = (ms) => new Promise((done) => setTimeout(done, ms))
  const changeOnce = async () => {
    const wanted = root.dataset.labTheme === "dark" ? "Light" : "Dark"
    const menu = document.querySelector('[data-testid="stMainMenuButton"]')
    const item = () => document.querySelector(`[data-testid="stMainMenuItem-theme-${wanted}"]`)
    if (!menu) return
    const before = document.activeElement
    root.classList.add("lab-changes-mode")
    if (!item()) menu.click()
    for (let frame = 0; frame < 60 && !item(); frame += 1) await new Promise(requestAnimationFrame)
    item()?.click()
    menu.click()
    await pause(200)
    // The menu takes the keyboard's focus: it goes back to where it was.
    menu.blur()
    before?.focus({ preventScroll: true })
    root.classList.remove("lab-changes-mode")
  }
  // Asked again while the menu still closes, it changes once more behind that.
  let changed = Promise.resolve()
  const changeMode = () => (changed = changed.then(changeOnce))
  document.addEventListener("click", ({ target }) => target.closest?.(".lab-mode") && changeMode())

  // n and p turn the pages, / searches, d changes the colours.
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return
    const turns = { n: '.lab-neighbours [rel="next"]', p: '.lab-neighbours [rel="prev"]' }
    if (event.key === "/") {
      event.preventDefault()
      document.querySelector(".lab-search input")?.focus()
    } else if (event.key === "d") changeMode()
    else if (turns[event.key]) document.querySelector(turns[event.key])?.click()
  })

  // The reader's own answers to questions stay in the browser.
  const note = (area) => `arena-lab own ${area.dataset.key}`
  document.addEventListener("input", ({ target }) => {
    if (!target.matches?.(".lab-own")) return
    if (target.value) localStorage.setItem(note(target), target.value)
    else localStorage.removeItem(note(target))
  })
  // An area may be taken over from the page before, with its text.
  const recall = () => {
    for (const area of document.querySelectorAll(".lab-own"))
      if (area.labKey !== area.dataset.key) {
        area.labKey = area.dataset.key
        area.value = localStorage.getItem(note(area)) ?? ""
      }
  }

  // What scrolls sideways can be reached by the keyboard too, so that its end can be read.
  const wide = ".stMain :is(pre, table, .katex-display)"
  let waits = false
  const reach = () => {
    if (waits) return
    waits = true
    setTimeout(() => {
      waits = false
      const all = [...document.querySelectorAll(wide)]
      const scrolls = all.map((part) => part.scrollWidth > part.clientWidth)
      all.forEach((part, i) => {
        if (scrolls[i]) part.tabIndex = 0
        else part.removeAttribute("tabindex")
      })
    }, 150)
  }
  document.addEventListener("toggle", reach, true)
  addEventListener("resize", reach)

  const settle = () => {
    recall()
    reach()
  }
  new MutationObserver(settle).observe(app, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-key"],
  })
  settle()

  // On a phone the sidebar lies over the page: a link in it closes it.
  document.addEventListener("click", (event) => {
    if (innerWidth < 768 && event.target.closest?.(".lab-nav a"))
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
  })

  addEventListener("popstate", () => {
    const place = history.state?.labPlace
    if (place === undefined) {
      // An anchor of this page was clicked: the browser scrolls by itself.
      here = last += 1
      history.replaceState({ ...history.state, labPlace: here }, "")
      return
    }
    if (place !== here) tops.set(here, column().scrollTop)
    here = place
    arrive(tops.get(here))
  })

  // Once the new page is there, go to where the reader was, to its anchor, or to its top.
  let leave = () => {}
  const arrive = (top) => {
    leave()
    const search = location.search
    const until = performance.now() + 3000
    const look = () => {
      if (location.search !== search) return
      const isThere = document.querySelector("[data-here]")?.dataset.here === (search || "?")
      if (!isThere && performance.now() < until) return requestAnimationFrame(look)
      const anchor = document.getElementById(decodeURIComponent(location.hash.slice(1)))
      if (top !== undefined || !anchor) return column().scrollTo(0, top ?? 0)
      stay(anchor.id)
    }
    look()
  }

  // What stands above may still grow: keep the anchor in its place until the reader goes on.
  const stay = (id) => {
    const hold = () => document.getElementById(id)?.scrollIntoView()
    const timer = setInterval(hold, 250)
    leave = () => clearInterval(timer)
    setTimeout(leave, 3000)
    for (const sign of ["wheel", "keydown", "pointerdown", "touchstart"])
      addEventListener(sign, leave, { once: true, passive: true, capture: true })
    hold()
  }
  if (location.hash) arrive()
})()
