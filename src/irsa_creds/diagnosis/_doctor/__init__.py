"""Check a pod (E, F, T, R, C, V), and run the checks of all other packages.

`pod_facts` reads everything on the machine once; the checks are pure functions over these facts.
`doctor` is the public function.

May import: every package of `diagnosis`.
"""
