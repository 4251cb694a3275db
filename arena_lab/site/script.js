// What Streamlit leaves out. Without this script the site still works: links load the page anew,
// and figures show their light drawing.
(() => {
  if (window.arenaLab) return
  window.arenaLab = true
  const given = window.arenaLabGiven

  // Figures follow the colour mode without asking the server.
  const app = document.querySelector(".stApp")
  const root = document.documentElement
  const follow = () => {
    document.documentElement.dataset.labTheme = getComputedStyle(app).colorScheme
  }
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] })
  follow()

  // A language that is chosen holds for the next visit too. The page is loaded anew, at the heading
  // that was read.
  root.lang = given.language
  document.addEventListener("click", ({ target }) => {
    const link = target.closest?.(".lab-language")
    if (!link) return
    document.cookie = `${given.cookie}=${link.lang}; path=/; max-age=31536000; SameSite=Lax`
    const above = ({ top }) => top < innerHeight / 3
    const passed = [...document.querySelectorAll("[data-anchor]")]
    link.hash = passed.filter((part) => above(part.getBoundingClientRect())).at(-1)?.id ?? ""
  })

  // Formulas are set by Streamlit's own KaTeX, before the browser paints; a page seen again has
  // the same ones again. It takes and gives trees of plain objects.
  let katex
  const formulas = new Map()
  const spaces = { svg: "http://www.w3.org/2000/svg", math: "http://www.w3.org/1998/Math/MathML" }
  const attributes = { className: "class", ariaHidden: "aria-hidden" }
  const grow = ({ tagName, properties, children, value }, parent, space) => {
    if (value !== undefined) return parent.append(value)
    const within = spaces[tagName] ?? space
    const part = document.createElementNS(within ?? "http://www.w3.org/1999/xhtml", tagName)
    for (const [name, given] of Object.entries(properties))
      part.setAttribute(attributes[name] ?? name, [given].flat().join(" "))
    for (const child of children) grow(child, part, within)
    parent.append(part)
  }
  const formula = (tex, css) => {
    const text = { type: "text", value: tex }
    const properties = { className: [css] }
    const span = { type: "element", tagName: "span", properties, children: [text] }
    const tree = { type: "root", children: [span] }
    katex(tree, { message() {} })
    const fragment = new DocumentFragment()
    for (const child of tree.children) grow(child, fragment)
    return fragment
  }
  const setFormulas = () => {
    if (!katex) return
    for (const part of document.querySelectorAll(".lab-tex")) {
      const css = part.classList.contains("lab-display") ? "math-display" : "math-inline"
      const key = `${css} ${part.textContent}`
      if (!formulas.has(key)) formulas.set(key, formula(part.textContent, css))
      part.replaceChildren(formulas.get(key).cloneNode(true))
      part.className = "lab-math"
    }
  }
  // A browser drops what it was fetching when a network comes or goes (a container starts).
  const pause = (ms) => new Promise((done) => setTimeout(done, ms))
  const load = async (again = 0) => {
    try {
      const address = `${given.katex}${again ? `?${again}` : ""}`
      katex = (await import(new URL(address, document.baseURI))).default()
      setFormulas()
    } catch (fault) {
      if (again === 10) throw fault
      await pause(1000)
      await load(again + 1)
    }
  }
  const loaded = load()

  // The first page shows when its letters are there, so that nothing on it moves; those of
  // formulas are fetched even if it has none, for the next.
  const usual = /^.?(Source (Sans|Code Pro)|KaTeX_(AMS|Main|Math|Size\d))\b/
  const letters = [...document.fonts].filter((face) => usual.test(face.family))
  const ready = Promise.allSettled([loaded, ...letters.map((face) => face.load())])
  ready.then(() => root.classList.add("lab-ready"))

  const label = () => {
    for (const button of document.querySelectorAll(".lab-copy:not([title])")) {
      button.title = given.copy
      button.ariaLabel = given.copy
    }
  }

  // A heading's place has a name; Streamlit keeps some names to itself (images, links, …).
  const nameAnchors = () => {
    for (const part of document.querySelectorAll("[data-anchor]:not([id])"))
      part.id = part.dataset.anchor
  }

  // Each card shows its newest verdict, which comes with the sidebar: the page stays as it is.
  const showVerdicts = () => {
    for (const card of document.querySelectorAll(".lab-verdict")) {
      const newest = document.querySelector(`[data-of="${CSS.escape(card.dataset.exercise)}"]`)
      if (!newest || card.labShown === newest.outerHTML) continue
      card.labShown = newest.outerHTML
      card.innerHTML = newest.innerHTML
      const section = card.closest(".lab-exercise")
      const isTried = newest.dataset.tried === "True"
      section.classList.toggle("lab-tried", isTried)
      if (isTried) section.querySelector(".lab-anyway")?.setAttribute("open", "")
    }
  }

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.(".lab-copy")
    if (!button) return
    await copy(button.previousElementSibling.textContent)
    button.classList.add("lab-copied")
    setTimeout(() => button.classList.remove("lab-copied"), 1500)
  })
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      // Over plain HTTP from another machine a page may not write there by itself.
      const area = document.createElement("textarea")
      area.value = text
      document.body.append(area)
      area.select()
      document.execCommand("copy")
      area.remove()
    }
  }

  // Links within the site change the page in place: Streamlit answers to the browser's history.
  const column = () => document.querySelector('[data-testid="stMain"]')
  const tops = new Map() // where the reader was, by the place in the history
  let here = history.state?.labPlace ?? 0
  let last = here
  history.replaceState({ ...history.state, labPlace: here }, "")

  document.addEventListener("click", ({ target }) => {
    if (target.closest?.('a[href^="#"]')) tops.set(here, column().scrollTop)
  })
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]:not(.lab-language)')
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
  // Of a class, several may use one browser: what is theirs has their name.
  const reader = location.pathname.match(/\/user\/[^/]+/)?.[0].concat(" ") ?? ""
  const note = (area) => `arena-lab own ${reader}${area.dataset.key}`
  document.addEventListener("input", ({ target }) => {
    if (!target.matches?.(".lab-own")) return
    if (target.value) localStorage.setItem(note(target), target.value)
    else localStorage.removeItem(note(target))
  })
  const recall = () => {
    for (const area of document.querySelectorAll(".lab-own"))
      if (!area.labKnown) {
        area.labKnown = true
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
    setFormulas()
    showVerdicts()
    nameAnchors()
    label()
    recall()
    reach()
  }
  new MutationObserver(settle).observe(app, { subtree: true, childList: true })
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

  // An address without its language, however it is written.
  const place = (address) => {
    const words = new URLSearchParams(address)
    words.delete("lang")
    return words.toString()
  }

  // Once the new page is there, go to where the reader was, to its anchor, or to its top.
  let leave = () => {}
  const arrive = (top) => {
    leave()
    const search = location.search
    const until = performance.now() + 3000
    const look = () => {
      if (location.search !== search) return
      const shown = document.querySelector("[data-here]")?.dataset.here
      const isThere = shown !== undefined && place(shown) === place(search)
      if (!isThere && performance.now() < until) return requestAnimationFrame(look)
      const anchor = document.getElementById(decodeURIComponent(location.hash.slice(1)))
      attend(anchor ?? column().querySelector("h1"))
      if (top !== undefined || !anchor) return column().scrollTo(0, top ?? 0)
      stay(anchor.id)
    }
    look()
  }

  // The keyboard goes on from there, and scrolls the page: its keys are for what has the focus.
  const attend = (heading) => {
    if (!heading || document.activeElement !== document.body) return
    heading.tabIndex = -1
    heading.focus({ preventScroll: true })
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
  else ready.then(() => attend(column().querySelector("h1")))
})()
