WITH w0 AS (
  SELECT r, kind, max(w) OVER (PARTITION BY k0 ORDER BY t, kind ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS w
  FROM (
    SELECT f.`driver_id` AS k0, greatest(f.`event_time`, f.`created`) AS t, CASE WHEN f.`created` > f.`event_time` THEN 0 ELSE 2 END AS kind, NULL AS r, named_struct('e', f.`event_time`, 'k', f.`created` IS NOT NULL, 'c', f.`created`, 'q', f.`seq` IS NOT NULL, 'p', f.`seq`, 'v0', f.`rating`) AS w
    FROM `stats` AS f
    WHERE f.`event_time` IS NOT NULL AND f.`driver_id` IS NOT NULL AND f.`created` IS NOT NULL
    UNION ALL
    SELECT a.`driver` AS k0, a.`at` AS t, 1 AS kind, a.`id` AS r, NULL AS w
    FROM `db`.`trips` AS a
    WHERE a.`at` IS NOT NULL
  ) AS line
)
SELECT a.*,
  CASE WHEN unix_micros(a.`at`) - unix_micros(w0.w.e) > 500000 THEN NULL ELSE w0.w.v0 END AS `a.rating`,
  CASE WHEN NOT (w0.w IS NOT NULL) THEN 'not_found' WHEN unix_micros(a.`at`) - unix_micros(w0.w.e) > 500000 THEN 'expired' ELSE 'found' END AS `a__status`,
  w0.w.e AS `a__event_time`,
  w0.w.c AS `a__created`
FROM `db`.`trips` AS a
LEFT JOIN w0 ON w0.kind = 1 AND w0.r = a.`id`
ORDER BY a.`id`
